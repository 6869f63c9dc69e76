/** The curve that a finding was read from, against the limit that it broke. */
import { useMemo } from 'preact/hooks';
import { blockKey } from '../blocks';
import { lineData, scaleOfLines } from '../charts/line_data';
import { sparkOf } from '../charts/spark';
import { type Curve, evidenceCurve, pointOnCurve } from '../evidence';
import { formatStep, formatValue } from '../format';
import { stepsOfFinding } from '../selectors';
import { columnsOf } from '../timeline';
import type { Finding, RunDetail, Series } from '../wire';
import { useAppState } from './context';

const SIZE = { width: 340, height: 44 };

export function EvidenceSpark({ detail, finding }: { detail: RunDetail; finding: Finding }) {
  const curve = useMemo(() => evidenceCurve(detail, finding), [detail, finding]);
  const key = curve && blockKey(detail.run, curve.signal.name, { rows: [curve.row] });
  const series = useAppState((state) => (key ? state.blocks[key] : undefined));
  if (!curve || !series) return null;
  return <Spark {...{ detail, finding, curve, series }} />;
}

interface Props {
  detail: RunDetail;
  finding: Finding;
  curve: Curve;
  series: Series;
}

function Spark({ detail, finding, curve, series }: Props) {
  const { evidence } = curve;
  const column = pointOnCurve(series, 0, evidence);
  const limit = column === null ? null : evidence.limit;
  const { data, spark } = useMemo(() => {
    const line = lineData(series, 0, series);
    const scale = scaleOfLines([line], limit === null ? [] : [limit]);
    const read = column === null ? null : { column, value: evidence.value };
    return { data: line, spark: sparkOf(line, scale, limit, SIZE, read) };
  }, [series, limit, column, evidence]);
  if (data.points === 0) return null;
  const { width, height } = SIZE;
  return (
    <figure class="spark" data-testid="spark">
      <svg viewBox={`0 -3 ${width} ${height + 6}`} preserveAspectRatio="none" role="img">
        <title>{words(curve, series, limit)}</title>
        <Span detail={detail} finding={finding} series={series} />
        <path class="spark-band" d={spark.band} />
        {spark.limit !== null && (
          <line class="spark-limit" x1="0" x2={width} y1={spark.limit} y2={spark.limit} />
        )}
        <path class="spark-line" d={spark.line} />
        {spark.point && <path class="spark-point" d={`M${spark.point.x} ${spark.point.y}h0`} />}
        {spark.marks.map((x) => (
          <line key={x} class="spark-mark" x1={x} x2={x} y1="0" y2={height} />
        ))}
      </svg>
      <Caption curve={curve} read={column !== null} limit={limit} />
    </figure>
  );
}

interface CaptionProps {
  curve: Curve;
  /** Whether the number of the evidence is a point of the curve. */
  read: boolean;
  limit: number | null;
}

function Caption({ curve: { signal, evidence }, read, limit }: CaptionProps) {
  return (
    <figcaption>
      <span>
        {signal.title}
        {evidence.row && (
          <>
            {' of '}
            <code>{evidence.row}</code>
          </>
        )}
      </span>
      <span class="spark-words">
        {read && (
          <>
            <b class={Number.isFinite(evidence.value) ? '' : 'non-finite'}>
              {formatValue(evidence.value, '', signal.name)}
            </b>{' '}
            at step {formatStep(evidence.step)}
          </>
        )}
        {limit !== null && (
          <span class="spark-limit-word">limit {formatValue(limit, '', signal.name)}</span>
        )}
      </span>
    </figcaption>
  );
}

/** The steps at which the finding held. */
function Span({ detail, finding, series }: Omit<Props, 'curve'>) {
  const columns = columnsOf(series, stepsOfFinding(detail, finding));
  if (!columns) return null;
  const place = (column: number) => (column / series.points) * SIZE.width;
  const [from, to] = [place(columns[0]), place(columns[1] + 1)];
  return <rect class="spark-span" x={from} y="-3" width={to - from} height={SIZE.height + 6} />;
}

function words({ signal, evidence }: Curve, series: Series, limit: number | null): string {
  const { value, step } = evidence;
  const held = limit === null ? '' : `, against a limit of ${formatValue(limit, '', signal.name)}`;
  const last = formatStep(series.steps.at(-1) ?? 0);
  const read = formatValue(value, signal.unit, signal.name);
  return `${signal.title} up to step ${last}: ${read} at step ${formatStep(step)}${held}`;
}
