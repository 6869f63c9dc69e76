/** Says in an empty chart why there is no curve, so that nobody waits for it. */
import type { LineData } from '../charts/line_data';
import { Marked } from './marked';
import type { StripLine } from './strip_chart';

interface Props {
  lines: readonly StripLine[];
  data: readonly LineData[];
}

export function NoCurve({ lines, data }: Props) {
  if (data.some(({ raw }) => raw.some((value) => value !== undefined))) return null;
  const why = lines.find(({ spec }) => spec.not_measured)?.spec.not_measured;
  return (
    <p class="strip-empty" data-testid="no-curve">
      {why ? 'Not measured: ' : 'Not measured in these steps'}
      {why && <Marked text={why} />}
    </p>
  );
}
