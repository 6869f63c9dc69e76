/** Adds curves of the run to the strip, or takes them away again. */
import { picked } from '../choices';
import { runSignals, stripSignals } from '../signals';
import type { RunDetail } from '../wire';
import { useApp, useAppState } from './context';

export function MoreCurves({ detail }: { detail: RunDetail }) {
  const curves = useAppState((state) => state.curves);
  const { actions } = useApp();
  const always = new Set(stripSignals(detail));
  const offered = runSignals(detail).filter((signal) => !always.has(signal));
  if (offered.length === 0) return null;
  const shown = picked(curves);
  return (
    <select
      class="chip"
      aria-label="More curves"
      data-testid="more-curves"
      value=""
      onChange={(event) => void actions.pickCurve(event.currentTarget.value)}
    >
      <option value="" disabled hidden>
        More curves
      </option>
      {offered.map(({ name, title }) => (
        <option key={name} value={name}>
          {shown.includes(name) ? `✓ ${title}` : title}
        </option>
      ))}
    </select>
  );
}
