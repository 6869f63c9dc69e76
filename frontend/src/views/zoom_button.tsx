/** Says how to zoom, or what is zoomed to and how to get back. */
import { RECENT, RECENT_POINTS } from '../choices';
import { formatSteps } from '../format';
import type { Timeline } from '../timeline';
import { useApp, useAppState } from './context';

export function ZoomButton({ timeline }: { timeline: Timeline }) {
  const range = useAppState((state) => state.steps);
  const { actions } = useApp();
  const first = timeline.firstSteps[0];
  const last = timeline.steps.at(-1);
  if (!range || first === undefined || last === undefined) {
    return (
      <>
        <span class="muted hint">Drag across a chart to zoom</span>
        {timeline.steps.length > RECENT_POINTS && (
          <button
            type="button"
            class="button small"
            title={`The newest ${RECENT_POINTS} points, which stay in view as training goes on`}
            onClick={() => void actions.zoomToRecent()}
          >
            Recent
          </button>
        )}
      </>
    );
  }
  return (
    <button type="button" class="button small" onClick={() => void actions.zoom(null)}>
      {range === RECENT && 'recent '}
      {formatSteps(first, last)} <span aria-hidden="true">×</span>
      <span class="sr-only">, show all steps</span>
    </button>
  );
}
