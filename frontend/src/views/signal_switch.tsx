/** Chooses what the map shows; signals that a finding names are marked. */
import { sentenceCase } from '../format';
import { signalChoice } from '../signals';
import type { RunDetail, Signal } from '../wire';
import { useApp } from './context';

export function SignalSwitch({ detail, shown }: { detail: RunDetail; shown: Signal }) {
  const { near, others, flagged } = signalChoice(detail, shown);
  return (
    <div class="signals" data-testid="map-signal">
      <div class="chips" role="radiogroup" aria-label="Signal on the map">
        {near.map((signal) => (
          <SignalOption
            key={signal.name}
            signal={signal}
            chosen={signal === shown}
            flagged={flagged.has(signal.name)}
          />
        ))}
      </div>
      {others.length > 0 && <OtherSignals signals={others} />}
    </div>
  );
}

function SignalOption(props: { signal: Signal; chosen: boolean; flagged: boolean }) {
  const { signal, chosen, flagged } = props;
  const { actions } = useApp();
  return (
    <label class={`chip ${flagged ? 'flagged' : ''}`} title={signal.description}>
      <input
        type="radio"
        name="map-signal"
        value={signal.name}
        checked={chosen}
        onChange={() => void actions.chooseSignal(signal.name)}
      />
      <span>{signal.title}</span>
      {flagged && <span class="sr-only">, named by a finding</span>}
    </label>
  );
}

/** What is chosen here moves to the chips, so the list always shows its own name. */
function OtherSignals({ signals }: { signals: readonly Signal[] }) {
  const { actions } = useApp();
  const axes = [...new Set(signals.map(({ axis }) => axis))];
  return (
    <select
      class="chip"
      aria-label="Other signals"
      value=""
      onChange={(event) => void actions.chooseSignal(event.currentTarget.value)}
    >
      <option value="" disabled hidden>
        More
      </option>
      {axes.map((axis) => (
        <optgroup key={axis} label={`${sentenceCase(axis)}s`}>
          {signals
            .filter((signal) => signal.axis === axis)
            .map(({ name, title }) => (
              <option key={name} value={name}>
                {title}
              </option>
            ))}
        </optgroup>
      ))}
    </select>
  );
}
