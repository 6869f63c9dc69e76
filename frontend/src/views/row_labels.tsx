import { labelledRows, type MapGeometry } from '../charts/map_geometry';
import { formatSize } from '../format';
import type { Focus } from '../selectors';
import type { Row } from '../wire';
import { SplitName } from './split_name';

interface Props {
  rows: readonly Row[];
  geometry: MapGeometry;
  scrollTop: number;
  focus: Focus | null;
  chosen: number;
}

const MIN_HEIGHT = 14;

/** Names beside the map, for the eye; the read-out and the table serve those who listen. */
export function RowLabels({ rows, geometry, scrollTop, focus, chosen }: Props) {
  const wanted = new Set(focus?.rows);
  if (chosen >= 0) wanted.add(chosen);
  const { rowHeight, viewHeight, fullHeight } = geometry;
  const height = Math.max(MIN_HEIGHT, rowHeight);
  const labels = labelledRows(geometry, scrollTop, viewHeight, wanted);
  return (
    <div class="row-labels" aria-hidden="true">
      {labels.map((index) => {
        const row = rows[index];
        const marks = [focus?.rows.has(index) && 'focused', index === chosen && 'chosen'];
        const middle = (index + 0.5) * rowHeight;
        const top = Math.min(fullHeight - height, Math.max(0, middle - height / 2));
        return (
          row && (
            <div
              key={row.name}
              class={`row-label ${marks.filter(Boolean).join(' ')}`}
              style={{ top: `${top}px`, height: `${height}px` }}
              title={`${row.name} (${row.function || row.role}, ${formatSize(row.size)})`}
            >
              <SplitName name={row.name} />
              {rowHeight >= MIN_HEIGHT && (
                <span class="row-size">{row.function || formatSize(row.size)}</span>
              )}
            </div>
          )
        );
      })}
    </div>
  );
}
