import { formatStep } from '../format';
import { CLOSEST, stepTicks, type Timeline } from '../timeline';

const TICK_SPACING = 84;
const DIGIT_WIDTH = 6.5;
const GAP = 14;

/** Steps beneath a chart. Columns are equally wide, so the labels are not evenly spaced in steps. */
export function StepAxis({ timeline, plotWidth }: { timeline: Timeline; plotWidth: number }) {
  const columns = timeline.steps.length;
  const longest = formatStep(timeline.steps.at(-1) ?? 0).length * DIGIT_WIDTH + GAP;
  const room = Math.floor(plotWidth / Math.max(TICK_SPACING, longest / CLOSEST));
  const ticks = stepTicks(timeline.steps, Math.max(2, room));
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
