/** What colours and patterns of the map mean; patterns are listed only where they occur. */
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { CODE, createPalette, domainTicks, scaleGradient, scaleOf } from '../charts/color';
import { paint, specialsIn } from '../charts/heat_map';
import { formatNumber, formatValue } from '../format';
import type { MapData } from '../map_data';
import { useAppState } from './context';

const WORDS: Record<keyof typeof CODE, string> = {
  nan: 'NaN',
  posInf: '+Inf',
  negInf: '−Inf',
  zero: 'exactly 0',
  missing: 'not measured',
};

const TICKS = 5;

export function MapLegend({ data }: { data: MapData }) {
  const { signal, grid } = data;
  const present = useMemo(() => specialsIn(grid), [grid]);
  const patterns = (Object.keys(WORDS) as (keyof typeof CODE)[]).filter((name) =>
    present.has(CODE[name]),
  );
  return (
    <div class="legend">
      <Scale data={data} />
      <ul class="legend-specials">
        {signal.healthy && <li class="healthy-key">{healthyWords(signal.healthy)}</li>}
        {patterns.map((name) => (
          <li key={name}>
            <Swatch code={CODE[name]} /> {WORDS[name]}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Scale({ data: { signal, domain, colors } }: { data: MapData }) {
  const place = scaleOf(domain);
  return (
    <div class="legend-scale">
      <span class="legend-title">
        {signal.title}
        {signal.unit && <span class="muted"> ({signal.unit})</span>}
      </span>
      <div class="legend-bar" style={{ background: scaleGradient(colors) }}>
        <HealthyBand healthy={signal.healthy} domain={domain} />
      </div>
      <div class="legend-ticks" aria-hidden="true">
        {domainTicks(domain, TICKS).map((tick) => (
          <span key={tick} style={tickStyle(100 * place(tick))}>
            {formatValue(tick, '', signal.name)}
          </span>
        ))}
      </div>
    </div>
  );
}

/** Centred in the middle of the bar, and flush with it at its ends. */
function tickStyle(percent: number) {
  return { left: `${percent}%`, transform: `translateX(-${percent}%)` };
}

type Healthy = MapData['signal']['healthy'];

function HealthyBand({ healthy, domain }: { healthy: Healthy; domain: MapData['domain'] }) {
  if (!healthy) return null;
  const [low, high] = healthy;
  const place = scaleOf(domain);
  const left = low === null ? 0 : place(low);
  const right = high === null ? 1 : place(high);
  if (right <= left) return null;
  const style = { left: `${left * 100}%`, width: `${(right - left) * 100}%` };
  return <span class="healthy-band" style={style} />;
}

function healthyWords([low, high]: NonNullable<Healthy>): string {
  if (low !== null && high !== null) {
    return `usual in healthy training: ${formatNumber(low)} to ${formatNumber(high)}`;
  }
  if (low !== null) return `usual in healthy training: from ${formatNumber(low)}`;
  return high !== null ? `usual in healthy training: up to ${formatNumber(high)}` : '';
}

const SWATCH = { width: 18, height: 12 };

function Swatch({ code }: { code: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const theme = useAppState((state) => state.theme);
  useEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (!context) return;
    const { width, height } = SWATCH;
    const image = context.createImageData(width, height);
    const grid = { rows: 1, columns: 1, codes: Uint16Array.of(code) };
    const frame = { width, height, rowHeight: 2 * height, scrollTop: 0, density: 1 };
    paint(new Uint32Array(image.data.buffer), grid, frame, createPalette(theme));
    context.putImageData(image, 0, 0);
  }, [code, theme]);
  return <canvas ref={canvas} class="swatch" {...SWATCH} />;
}
