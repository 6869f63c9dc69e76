/** How near training is to the edge of stability (Cohen et al. 2021): the zones, and the limit as a curve. */
import { alignColumns } from './timeline';
import { NOT_MEASURED, type RunDetail, type Series, type Signal } from './wire';

export const MARGIN = 'stability_margin';

/** Sharpness in units of what the optimizer bears. */
const EDGE = 1;

/** Training that hovers around the edge is within this of it. */
const NEAR_EDGE = 0.1;

export function zoneWord(margin: number): string {
  if (!Number.isFinite(margin)) return '';
  if (margin < EDGE - NEAR_EDGE) return 'stable';
  return margin > EDGE + NEAR_EDGE ? 'beyond the edge' : 'at the edge';
}

/** Values of the margin at which the steepest direction still shrinks. */
export const STABLE_ZONE = [null, EDGE] as const;

/** The sharpness that the margin was computed from: of the loss, or as a preconditioner sees it. */
export function sharpnessOf({ signals, facts }: RunDetail): Signal | null {
  const measured = (name: string) =>
    signals.find((signal) => signal.name === name && signal.kept > 0);
  if (!measured(MARGIN) || typeof facts.stability_limit !== 'string') return null;
  const adaptive = measured('preconditioned_sharpness');
  return adaptive ?? measured('hessian_top_eigenvalue') ?? null;
}

/** The largest sharpness that the optimizer bears, 2 / learning rate for plain descent. */
export function limitSeries(sharpness: Series, margin: Series): Series {
  const sources = alignColumns(sharpness, margin.steps);
  const [value] = sharpness.fields;
  const [share] = margin.fields;
  const limit = Float32Array.from(sources, (source, column) => {
    const measured = sharpness.values[value ?? '']?.[column] ?? NOT_MEASURED;
    const part = margin.values[share ?? '']?.[source] ?? NOT_MEASURED;
    return measured === NOT_MEASURED || part === NOT_MEASURED ? NOT_MEASURED : measured / part;
  });
  return { ...sharpness, rows: 1, fields: ['limit'], values: { limit } };
}
