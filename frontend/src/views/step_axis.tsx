import { formatStep } from '../format';
import { stepTicks, type Timeline } from '../timeline';

const TICK_SPACING = 84;

/** Steps beneath a chart. Columns are equally wide, so the labels are not evenly spaced in steps. */
export function StepAxis({ timeline, plotWidth }: { timeline: Timeline; plotWidth: number }) {
  const columns = timeline.steps.length;
  const ticks = stepTicks(timeline.steps, Math.max(2, Math.floor(plotWidth / TICK_SPACING)));
  return (
    <div class="step-axis" aria-hidden="true">
      <span class="step-axis-name">step</span>
      <div class="step-axis-ticks">
        {ticks.map(({ column, step }) => (
          <span key={column} style={{ left: `${((column + 0.5) / columns) * 100}%` }}>
            {formatStep(step)}
          </span>
        ))}
      </div>
    </div>
  );
}
