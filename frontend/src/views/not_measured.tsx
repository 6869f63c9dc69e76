/** What was asked for in vain is said, so that its absence is not taken for health. */
import type { Signal } from '../wire';
import { Marked } from './marked';

export function NotMeasured({ signals }: { signals: readonly Signal[] }) {
  const missing = signals.filter(({ not_measured }) => not_measured);
  return (
    <>
      {missing.map(({ name, title, kept, not_measured }) => (
        <p key={name} class="signal-about">
          {title} was not measured{kept > 0 ? ' at all points' : ''}: <Marked text={not_measured} />
        </p>
      ))}
    </>
  );
}
