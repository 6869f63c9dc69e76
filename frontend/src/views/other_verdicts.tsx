/** One line for each run that is compared with the chosen one. */
import { comparedRuns } from '../choices';
import { formatStep } from '../format';
import { verdictWords } from '../selectors';
import type { RunDetail } from '../wire';
import { useApp, useAppState } from './context';
import { Icon } from './icons';
import { Marked } from './marked';

export function OtherVerdicts() {
  const { store } = useApp();
  useAppState((state) => state.others);
  useAppState((state) => state.compare);
  const runs = comparedRuns(store.get()).slice(1);
  if (runs.length === 0) return null;
  return (
    <ul class="card other-verdicts" data-testid="other-verdicts" aria-label="Compared runs">
      {runs.map(({ detail }) => (
        <OtherVerdict key={detail.run} detail={detail} />
      ))}
    </ul>
  );
}

function OtherVerdict({ detail }: { detail: RunDetail }) {
  const { word, text, since } = verdictWords(detail);
  const { actions } = useApp();
  return (
    <li>
      <Icon mark={detail.verdict} />
      <button type="button" class="plain" onClick={() => void actions.chooseRun(detail.run)}>
        <bdi>{detail.run}</bdi>
      </button>
      <span>
        <strong>{word}</strong>
        {text && ': '}
        <Marked text={text} />
      </span>
      {since !== null && <span class="muted">since step {formatStep(since)}</span>}
    </li>
  );
}
