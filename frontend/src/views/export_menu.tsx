/** The map and its run, to be taken away. */
import { createPalette } from '../charts/color';
import { mapImage } from '../charts/map_image';
import type { MapData } from '../map_data';
import { mapCsv, mapJson, markdownReport } from '../report';
import type { RunDetail } from '../wire';
import { useApp } from './context';
import { SaveMenu } from './save_menu';

interface Props {
  detail: RunDetail;
  data: MapData;
}

export function ExportMenu({ detail, data }: Props) {
  const { store } = useApp();
  const text = (words: string, type: string) => new Blob([words], { type });
  return (
    <SaveMenu
      name={`${detail.run}-${data.signal.name}`}
      choices={[
        {
          label: 'Map as PNG',
          kind: 'png',
          make: () => mapImage(data, createPalette(store.get().theme), store.get().theme),
        },
        { label: 'Values as CSV', kind: 'csv', make: () => text(mapCsv(data), 'text/csv') },
        {
          label: 'Values as JSON',
          kind: 'json',
          make: () => text(mapJson(data), 'application/json'),
        },
        {
          label: 'Report as Markdown',
          kind: 'md',
          make: () => text(markdownReport(detail), 'text/markdown'),
        },
      ]}
    />
  );
}
