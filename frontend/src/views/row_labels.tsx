/** Names beside the map, for the eye; the read-out and the table serve those who listen. */
import { labelledRows, type MapGeometry } from '../charts/map_geometry';
import { formatCount, formatSize } from '../format';
import type { MapLine } from '../map_rows';
import { SplitName } from './split_name';

interface Props {
  lines: readonly MapLine[];
  geometry: MapGeometry;
  scrollTop: number;
  focused: ReadonlySet<number> | undefined;
  chosen: number;
}

const MIN_HEIGHT = 14;

export function RowLabels({ lines, geometry, scrollTop, focused, chosen }: Props) {
  const wanted = new Set(focused);
  if (chosen >= 0) wanted.add(chosen);
  const { rowHeight, fullHeight } = geometry;
  const height = Math.max(MIN_HEIGHT, rowHeight);
  const labels = labelledRows(geometry, scrollTop, wanted);
  return (
    <div class="row-labels" aria-hidden="true">
      {labels.map((index) => {
        const line = lines[index];
        const marks = [focused?.has(index) && 'focused', index === chosen && 'chosen'];
        const middle = (index + 0.5) * rowHeight;
        const top = Math.min(fullHeight - height, Math.max(0, middle - height / 2));
        return (
          line && (
            <div
              key={line.key}
              class={`row-label ${line.row ? '' : 'block'} ${marks.filter(Boolean).join(' ')}`}
              style={{ top: `${top}px`, height: `${height}px` }}
              title={aboutLine(line)}
            >
              {!line.row && <span class="fold">{line.open ? '▾' : '▸'}</span>}
              <SplitName name={line.name} />
              {rowHeight >= MIN_HEIGHT && <span class="row-kind">{kindOf(line)}</span>}
            </div>
          )
        );
      })}
    </div>
  );
}

export function aboutLine({ name, row, rows }: MapLine): string {
  if (!row) return `${name} (${formatCount(rows.length, 'row')})`;
  return `${name} (${row.function || row.role}, ${formatSize(row.size)})`;
}

/** Sizes would take the room of the names: they are told where a name is pointed at. */
function kindOf({ row, rows }: MapLine): string {
  return row ? row.function : formatCount(rows.length, 'row');
}
