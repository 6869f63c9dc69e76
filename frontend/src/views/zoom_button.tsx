import { formatSteps } from '../format';
import type { Timeline } from '../timeline';
import { useApp, useAppState } from './context';

/** Says how to zoom, or what is zoomed to and how to get back. */
export function ZoomButton({ timeline }: { timeline: Timeline }) {
  const range = useAppState((state) => state.steps);
  const { actions } = useApp();
  const first = timeline.firstSteps[0];
  const last = timeline.steps.at(-1);
  if (!range || first === undefined || last === undefined) {
    return <span class="muted hint">Drag across a chart to zoom</span>;
  }
  return (
    <button type="button" class="button small" onClick={() => void actions.zoom(null)}>
      {formatSteps(first, last)} <span aria-hidden="true">×</span>
      <span class="sr-only">, show all steps</span>
    </button>
  );
}
