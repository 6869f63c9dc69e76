/** When each root cause held, as bars on the axis of the charts. */
import { stepsOfFinding, stories } from '../selectors';
import { columnsOf, type Timeline } from '../timeline';
import type { RunDetail } from '../wire';
import { useApp, useAppState } from './context';

const MAX_BARS = 6;

/** A shortcut for the pointer: the cards beside say the same, to everybody. */
export function FindingLane({ detail, timeline }: { detail: RunDetail; timeline: Timeline }) {
  const chosen = useAppState((state) => state.finding);
  const { actions } = useApp();
  const columns = timeline.steps.length;
  const roots = stories(detail.findings).map(({ root }) => root);
  return (
    <div class="finding-lane" aria-hidden="true">
      {roots.slice(0, MAX_BARS).map((finding) => {
        const span = columnsOf(timeline, stepsOfFinding(detail, finding));
        if (!span) return null;
        const [from, to] = span;
        const style = {
          left: `${(from / columns) * 100}%`,
          width: `${((to + 1 - from) / columns) * 100}%`,
        };
        return (
          <div key={finding.id} class="lane">
            <button
              type="button"
              tabIndex={-1}
              class={`lane-bar ${finding.severity} ${finding.id === chosen ? 'chosen' : ''}`}
              style={style}
              title={finding.title}
              onClick={() => void actions.chooseFinding(finding.id)}
            />
          </div>
        );
      })}
    </div>
  );
}
