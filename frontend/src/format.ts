/** The only place where numbers, steps and names become text. */

const GROUPED = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** A measured number in about `digits` significant digits; never hides what is not finite. */
export function formatNumber(value: number, digits = 3): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '−Inf';
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size < 1e-2 || size >= 1e5) return shortExponent(value.toExponential(digits - 1));
  if (size >= 100 || Number.isInteger(value)) return minus(GROUPED.format(value));
  return minus(String(Number(value.toPrecision(digits))));
}

const TICK_DIGITS = [2, 3, 4, 6, 9];

/** Labels of an axis, in as few digits as tell them apart. */
export function formatTicks(ticks: readonly number[]): string[] {
  const labels = (digits: number) => ticks.map((tick) => formatNumber(tick, digits));
  const distinct = (digits: number) => new Set(labels(digits)).size === ticks.length;
  return labels(TICK_DIGITS.find(distinct) ?? 9);
}

/** Values of signals that are shares read best in percent. */
export function formatValue(value: number, unit: string, signal: string): string {
  if (signal.endsWith('_fraction') && Number.isFinite(value)) {
    return `${minus(String(Number((100 * value).toPrecision(3))))} %`;
  }
  const number = formatNumber(value);
  return unit && Number.isFinite(value) ? `${number} ${unit}` : number;
}

/** For people who hear or read a value on its own. */
export function nonFiniteWord(value: number): string {
  if (Number.isNaN(value)) return 'NaN (not a number)';
  return value > 0 ? '+Inf (overflow)' : '−Inf (overflow)';
}

export function formatStep(step: number): string {
  return minus(GROUPED.format(step));
}

/** "step 4" or "steps 4–120". */
export function formatSteps(first: number, last: number): string {
  if (first === last) return `step ${formatStep(first)}`;
  return `steps ${formatStep(first)}–${formatStep(last)}`;
}

/** A size that must fit a narrow column: 950, 12.5k, 3.1M. */
export function formatSize(count: number): string {
  for (const [limit, suffix] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const) {
    if (count >= limit) return `${Number((count / limit).toPrecision(3))}${suffix}`;
  }
  return String(count);
}

export function formatCount(count: number, noun: string): string {
  return `${GROUPED.format(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** `vanishing_gradients` → "Vanishing gradients". */
export function sentenceCase(name: string): string {
  const words = name.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A value of `facts`, which may be any JSON. */
export function formatFact(value: unknown): string {
  if (typeof value === 'number') return formatNumber(value, 6);
  return typeof value === 'string' ? value : JSON.stringify(value);
}

export function formatTime(date: Date): string {
  return date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' });
}

const MOMENT = new Intl.DateTimeFormat([], { dateStyle: 'medium', timeStyle: 'medium' });

export function formatMoment(date: Date): string {
  return MOMENT.format(date);
}

export interface TextPart {
  text: string;
  code: boolean;
}

/** Splits "slope of `dense/kernel` is low" into plain and code parts. */
export function splitCode(text: string): TextPart[] {
  const parts = text.split('`');
  // An odd number of backticks leaves one without a partner: it stays a plain character.
  if (parts.length % 2 === 0) parts.splice(-2, 2, `${parts.at(-2)}\`${parts.at(-1)}`);
  return parts
    .map((part, index) => ({ text: part, code: index % 2 === 1 }))
    .filter((part) => part.text !== '');
}

function shortExponent(text: string): string {
  const [mantissa = '', exponent = ''] = text.split('e');
  return minus(`${Number(mantissa)}e${exponent.replace('+', '')}`);
}

/** Only the sign of the number; an exponent keeps the hyphen so that it can be pasted into code. */
function minus(text: string): string {
  return text.replace(/^-/, '−');
}
