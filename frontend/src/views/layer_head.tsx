/** Which layer is shown, what it is, and the way to its neighbours. */
import type { ComponentChildren } from 'preact';
import { useMemo } from 'preact/hooks';
import { layersOf } from '../choices';
import { formatCount, formatSize } from '../format';
import type { RunDetail } from '../wire';
import { useApp } from './context';
import { TableToggle } from './toggle';

interface Props {
  detail: RunDetail;
  layer: string | null;
  /** Further tools. */
  children: ComponentChildren;
}

export function LayerHead({ detail, layer, children }: Props) {
  const { actions } = useApp();
  const layers = useMemo(() => layersOf(detail), [detail]);
  const at = layer === null ? -1 : layers.indexOf(layer);
  const step = (by: number) => {
    const next = layers[at + by];
    if (next !== undefined) void actions.openLayer(next);
  };
  return (
    <div class="chart-head">
      <h2 class="section-title layer-title">
        Layer
        <StepButton label="Towards the input" sign="‹" off={at <= 0} onStep={() => step(-1)} />
        <LayerChoice layers={layers} layer={layer} />
        <StepButton
          label="Towards the output"
          sign="›"
          off={at >= layers.length - 1}
          onStep={() => step(1)}
        />
        {layer !== null && <span class="muted">{aboutLayer(detail, layer)}</span>}
      </h2>
      <div class="tools">
        <TableToggle />
        {children}
      </div>
    </div>
  );
}

interface StepProps {
  label: string;
  sign: string;
  off: boolean;
  onStep(): void;
}

function StepButton({ label, sign, off, onStep }: StepProps) {
  return (
    <button
      type="button"
      class="button small"
      aria-label={label}
      title={label}
      disabled={off}
      onClick={onStep}
    >
      {sign}
    </button>
  );
}

function LayerChoice({ layers, layer }: { layers: readonly string[]; layer: string | null }) {
  const { actions } = useApp();
  return (
    <select
      aria-label="Layer"
      class="layer-choice"
      value={layer ?? ''}
      onChange={(event) => void actions.openLayer(event.currentTarget.value)}
    >
      {layer === null && <option value="">none</option>}
      {layer !== null && !layers.includes(layer) && <option value={layer}>{layer}</option>}
      {layers.map((name) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </select>
  );
}

function aboutLayer({ rows }: RunDetail, layer: string): string {
  const weights = (rows.variable ?? []).filter((row) => row.layer === layer || row.name === layer);
  const [activation] = (rows.activation ?? []).filter((row) => row.layer === layer);
  const size = weights.reduce((sum, row) => sum + row.size, 0);
  return [
    size > 0 ? `${formatSize(size)} parameters` : '',
    activation?.function ?? '',
    activation ? formatCount(activation.size, 'unit') : '',
  ]
    .filter(Boolean)
    .join(', ');
}
