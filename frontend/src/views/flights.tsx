/** Whether charts show the whole run, or the single steps that were kept before a finding. */
import { formatSteps } from '../format';
import type { Flight, RunDetail } from '../wire';
import { useApp } from './context';

export function Flights({ detail, chosen }: { detail: RunDetail; chosen: string | null }) {
  const { actions } = useApp();
  if (detail.flights.length === 0) return null;
  const options: [string | null, string][] = [
    [null, 'Whole run'],
    ...detail.flights.map((flight): [string, string] => [idOf(flight), wordsOf(detail, flight)]),
  ];
  return (
    <div class="chips" role="radiogroup" aria-label="Steps shown" data-testid="flights">
      {options.map(([id, words]) => (
        <label key={id} class="chip">
          <input
            type="radio"
            name="flight"
            checked={id === chosen}
            onChange={() => void actions.chooseFlight(id)}
          />
          <span>{words}</span>
        </label>
      ))}
    </div>
  );
}

function idOf({ findings }: Flight): string {
  return findings[0] ?? '';
}

function wordsOf({ findings }: RunDetail, flight: Flight): string {
  const code = findings.find(({ id }) => id === idOf(flight))?.code ?? idOf(flight);
  return `Single ${formatSteps(flight.first_step, flight.last_step)} before ${code}`;
}
