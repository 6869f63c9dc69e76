/** Gradients and activations along the network at one step, which can be played like a film. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import { flowOf } from '../blocks';
import { type Domain, domainOf, scaleOf } from '../charts/color';
import { type FlowRow, flowAt, flowSignals } from '../flow';
import { formatStep, formatValue } from '../format';
import type { Timeline } from '../timeline';
import type { RunDetail, Series, Signal } from '../wire';
import { useApp, useAppState, useCursor } from './context';
import { SplitName } from './split_name';

const FRAME_MS = 90;
/** Slow enough to be no motion, where motion is not wanted. */
const CALM_FRAME_MS = 1_000;

export function Flow({ detail, timeline }: { detail: RunDetail; timeline: Timeline }) {
  const blocks = useAppState((state) => state.blocks);
  const signals = useMemo(() => flowSignals(detail), [detail]);
  const { store } = useApp();
  const series = useMemo(
    () => signals.map(({ name }) => flowOf(store.get(), name)),
    [store, signals, blocks],
  );
  const domains = useMemo(() => series.map((item, i) => domainFor(signals[i], item)), [series]);
  const { column } = useCursor();
  const last = timeline.steps.length - 1;
  const at = Math.min(last, column ?? last);
  const step = timeline.steps[at] ?? 0;
  const rows = useMemo(
    () => flowAt(detail, signals, series, step),
    [detail, signals, series, step],
  );
  if (signals.length === 0) {
    return <p class="placeholder muted">Nothing was measured along the network</p>;
  }
  return (
    <div class="flow" data-testid="flow">
      <Player last={last} at={at} step={step} />
      <FlowTable {...{ rows, signals, domains }} />
      <Key signals={signals} rows={rows} />
    </div>
  );
}

/** The same scale at all steps, so that a bar that grows has grown. */
function domainFor(signal: Signal | undefined, series: Series | undefined): Domain {
  const values = series?.values[series.fields[0] ?? ''] ?? new Float32Array();
  return domainOf(values, signal?.scale ?? 'linear');
}

function Player({ last, at, step }: { last: number; at: number; step: number }) {
  const { cursor } = useApp();
  const [playing, setPlaying] = useState(false);
  const go = (column: number) => cursor.set({ column, row: null });
  useEffect(() => {
    if (!playing) return;
    const calm = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
    const timer = setInterval(
      () => {
        const next = (cursor.get().column ?? -1) + 1;
        if (next > last) setPlaying(false);
        else go(next);
      },
      calm ? CALM_FRAME_MS : FRAME_MS,
    );
    return () => clearInterval(timer);
  }, [playing, last, cursor]);
  const play = () => {
    if (!playing && at >= last) go(0);
    setPlaying(!playing);
  };
  return (
    <div class="player">
      <button type="button" class="button small" data-testid="play" onClick={play}>
        {playing ? 'Pause' : 'Play'}
      </button>
      <input
        type="range"
        min={0}
        max={last}
        value={at}
        aria-label="Step"
        aria-valuetext={`step ${formatStep(step)}`}
        onInput={(event) => go(Number(event.currentTarget.value))}
      />
      <output data-testid="flow-step">step {formatStep(step)}</output>
    </div>
  );
}

interface TableProps {
  rows: readonly FlowRow[];
  signals: readonly Signal[];
  domains: readonly Domain[];
}

function FlowTable({ rows, signals, domains }: TableProps) {
  const { actions } = useApp();
  return (
    <div class="flow-scroll">
      <table class="flow-table">
        <caption class="sr-only">Layers from input to output; the worst value of each</caption>
        <thead>
          <tr>
            <th scope="col">Layer</th>
            {signals.map(({ name, title, unit, description }) => (
              <th key={name} scope="col" title={description}>
                {title} {unit && <span class="unit">({unit})</span>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ layer, values }) => (
            <tr key={layer}>
              <th scope="row">
                <button
                  type="button"
                  class="flow-layer"
                  title={layer}
                  onClick={() => void actions.openLayer(layer)}
                >
                  <SplitName name={layer} />
                </button>
              </th>
              {values.map((value, index) => {
                const signal = signals[index] as Signal;
                const domain = domains[index] as Domain;
                return <FlowCell key={signal.name} {...{ value, signal, domain }} />;
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** What the colours of bars mean. */
function Key({ rows, signals }: Omit<TableProps, 'domains'>) {
  const odd = rows.some(({ values }) =>
    values.some((value) => value !== undefined && !Number.isFinite(value)),
  );
  return (
    <ul class="legend-specials flow-key" data-testid="flow-key">
      <li>
        <BarSwatch kind="" /> The worst value of a layer, on one scale for all steps
      </li>
      {signals.some(({ healthy }) => healthy) && (
        <li>
          <BarSwatch kind="unusual" /> outside of what is usual in healthy training
        </li>
      )}
      {odd && (
        <li>
          <BarSwatch kind="non-finite" /> not finite
        </li>
      )}
    </ul>
  );
}

function BarSwatch({ kind }: { kind: string }) {
  return (
    <span class={`swatch-bar ${kind}`}>
      <span class="bar" />
    </span>
  );
}

interface CellProps {
  value: number | undefined;
  signal: Signal;
  domain: Domain;
}

function FlowCell({ value, signal, domain }: CellProps) {
  if (value === undefined) return <td class="muted">–</td>;
  const odd = !Number.isFinite(value);
  const empty = odd || (domain.scale === 'log' && value <= 0);
  const length = empty ? 0 : scaleOf(domain)(value);
  return (
    <td class={odd ? 'non-finite' : isUnusual(value, signal) ? 'unusual' : ''}>
      <span class="bar" style={{ transform: `scaleX(${odd ? 1 : length})` }} />
      <span class="bar-value">{formatValue(value, '', signal.name)}</span>
    </td>
  );
}

function isUnusual(value: number, { healthy }: Signal): boolean {
  if (!healthy) return false;
  const [low, high] = healthy;
  return (low !== null && value < low) || (high !== null && value > high);
}
