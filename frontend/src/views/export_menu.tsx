/** Takes what is on screen out of the page. */
import { useRef } from 'preact/hooks';
import { createPalette } from '../charts/color';
import { mapImage } from '../charts/map_image';
import type { MapData } from '../map_data';
import { mapCsv, mapJson, markdownReport } from '../report';
import type { RunDetail } from '../wire';
import { useApp } from './context';
import { Chevron } from './icons';

interface Props {
  detail: RunDetail;
  data: MapData;
}

export function ExportMenu({ detail, data }: Props) {
  const { store } = useApp();
  const menu = useRef<HTMLDetailsElement>(null);
  const name = `${detail.run}-${data.signal.name}`.replaceAll(/[^\w.-]+/g, '_');
  const save = (kind: string, make: () => Blob | Promise<Blob>) => async () => {
    if (menu.current) menu.current.open = false;
    download(`${name}.${kind}`, await make());
  };
  const image = () => mapImage(data, createPalette(store.get().theme), store.get().theme);
  const choices: [string, () => Promise<void>][] = [
    ['Map as PNG', save('png', image)],
    ['Values as CSV', save('csv', () => new Blob([mapCsv(data)], { type: 'text/csv' }))],
    ['Values as JSON', save('json', () => new Blob([mapJson(data)], { type: 'application/json' }))],
    [
      'Report as Markdown',
      save('md', () => new Blob([markdownReport(detail)], { type: 'text/markdown' })),
    ],
  ];
  return (
    <details ref={menu} class="menu" data-testid="export">
      <summary class="button small">
        Export <Chevron />
      </summary>
      <ul class="menu-list">
        {choices.map(([label, act]) => (
          <li key={label}>
            <button type="button" class="menu-item" onClick={() => void act()}>
              {label}
            </button>
          </li>
        ))}
      </ul>
    </details>
  );
}

function download(name: string, blob: Blob): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser reads the blob after this turn.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
