/** How the map is drawn: which rows, gathered how, in which colours. */
import { useMemo } from 'preact/hooks';
import { formatCount } from '../format';
import { hasBlocks, rowFilter } from '../map_rows';
import type { Row, Signal } from '../wire';
import { useApp, useAppState } from './context';
import { Toggle } from './toggle';

interface Props {
  signal: Signal;
  rows: readonly Row[];
  /** Lines on the map. */
  shown: number;
  /** All of them are readable at once. */
  fits: boolean;
}

export function MapTools({ signal, rows, shown, fits }: Props) {
  const fit = useAppState((state) => state.fit);
  const table = useAppState((state) => state.table);
  const grouped = useAppState((state) => state.grouped);
  const foldable = useMemo(() => hasBlocks(rows), [rows]);
  const { actions } = useApp();
  return (
    <div class="map-tools">
      <Filter count={rows.length} shown={shown} />
      {foldable && (
        <Toggle
          label="Blocks"
          on={grouped}
          title="Gather rows in blocks; click a block to unfold it"
          onChange={() => void actions.drawMap({ grouped: !grouped })}
        />
      )}
      {!table && !fits && (
        <Toggle label="Fit" on={fit} onChange={() => void actions.drawMap({ fit: !fit })} />
      )}
      {signal.fields.length > 1 && <FieldChoice signal={signal} />}
      <ScaleChoice signal={signal} />
      <ColourChoice />
    </div>
  );
}

function Filter({ count, shown }: { count: number; shown: number }) {
  const text = useAppState((state) => state.rowFilter);
  const { actions } = useApp();
  const odd = text !== '' && rowFilter(text).literal;
  return (
    <span class="row-filter">
      <input
        type="search"
        placeholder="Filter rows"
        aria-label="Filter rows by text or regular expression"
        title="Text or a regular expression"
        data-testid="row-filter"
        value={text}
        onInput={(event) => void actions.drawMap({ rowFilter: event.currentTarget.value })}
      />
      <span class="muted" role="status">
        {text && `${formatCount(shown, 'line')} of ${formatCount(count, 'row')}`}
        {odd && ', taken as plain text'}
      </span>
    </span>
  );
}

function FieldChoice({ signal }: { signal: Signal }) {
  const field = useAppState((state) => state.field);
  const { actions } = useApp();
  return (
    <Choice
      label="Value"
      value={field ?? signal.fields[0] ?? ''}
      options={signal.fields.map((name) => [name, name])}
      onChoose={(name) => void actions.drawMap({ field: name })}
    />
  );
}

function ScaleChoice({ signal }: { signal: Signal }) {
  const scale = useAppState((state) => state.scale);
  const { actions } = useApp();
  return (
    <Choice
      label="Scale"
      value={scale ?? signal.scale}
      options={[
        ['log', 'log'],
        ['linear', 'linear'],
      ]}
      onChoose={(name) => void actions.drawMap({ scale: name === 'log' ? 'log' : 'linear' })}
    />
  );
}

function ColourChoice() {
  const allSteps = useAppState((state) => state.allSteps);
  const { actions } = useApp();
  return (
    <Choice
      label="Colours of"
      value={allSteps ? 'all' : 'view'}
      options={[
        ['view', 'steps in view'],
        ['all', 'all steps'],
      ]}
      onChoose={(name) => void actions.drawMap({ allSteps: name === 'all' })}
    />
  );
}

interface ChoiceProps {
  label: string;
  value: string;
  options: readonly (readonly [value: string, words: string])[];
  onChoose(value: string): void;
}

function Choice({ label, value, options, onChoose }: ChoiceProps) {
  return (
    <label class="choice">
      <span class="muted">{label}</span>
      <select value={value} onChange={(event) => onChoose(event.currentTarget.value)}>
        {options.map(([name, words]) => (
          <option key={name} value={name}>
            {words}
          </option>
        ))}
      </select>
    </label>
  );
}
