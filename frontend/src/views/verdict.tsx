/** The diagnosis of the chosen run in one line, and what it rests on. */
import { formatCount, formatFact, formatStep } from '../format';
import { markdownReport } from '../report';
import { type Health, verdictWords } from '../selectors';
import type { RunDetail } from '../wire';
import { CopyButton } from './copy_button';
import { Chevron, Icon, type Mark } from './icons';
import { Marked } from './marked';

const MARKS: Record<Health, Mark> = {
  error: 'error',
  warning: 'warning',
  info: 'info',
  healthy: 'healthy',
  recovered: 'recovered',
  unknown: 'not measured',
};

export function Verdict({ detail }: { detail: RunDetail }) {
  const { health, word, text, since, remedy } = verdictWords(detail);
  const mark = detail.verdict === 'unreadable' ? 'unreadable' : MARKS[health];
  return (
    <section
      class={`card verdict ${health}`}
      aria-label="Verdict"
      data-testid="verdict"
      data-verdict={detail.verdict}
    >
      <div class="verdict-mark">
        <Icon mark={mark} />
      </div>
      <div class="verdict-body">
        <h2>
          <strong>{word}</strong>
          {text && ': '}
          <Marked text={text} />
        </h2>
        {remedy && (
          <p class="remedy">
            <strong>Try first</strong> <Marked text={remedy} />
          </p>
        )}
        <div class="meta">
          {since !== null && <b>since step {formatStep(since)}</b>}
          {detail.last_step >= 0 && <span>last step {formatStep(detail.last_step)}</span>}
          <Points detail={detail} />
          <MainFacts facts={detail.facts} />
          <OtherFacts facts={detail.facts} />
        </div>
        <Notes notes={detail.notes} />
      </div>
      {detail.findings.length > 0 && (
        <CopyButton text={markdownReport(detail)} label="Copy report" />
      )}
    </section>
  );
}

function Points({ detail: { kept, written } }: { detail: RunDetail }) {
  if (written === 0) return null;
  if (kept >= written) return <span>{formatCount(kept, 'point')}</span>;
  return (
    <span class="badge" title="TensorBoard keeps a sample of the points of each run.">
      showing {formatStep(kept)} of {formatCount(written, 'point')}
    </span>
  );
}

const MAIN_FACTS = ['model', 'optimizer', 'loss', 'batch_size', 'parameters'];

function MainFacts({ facts }: { facts: Record<string, unknown> }) {
  return (
    <>
      {MAIN_FACTS.filter((name) => name in facts).map((name) => (
        <Fact key={name} name={name} value={facts[name]} />
      ))}
    </>
  );
}

function OtherFacts({ facts }: { facts: Record<string, unknown> }) {
  const others = Object.entries(facts).filter(([name]) => !MAIN_FACTS.includes(name));
  if (others.length === 0) return null;
  return (
    <details class="facts">
      <summary>
        <Chevron />
        {formatCount(others.length, 'more fact')}
      </summary>
      <p class="meta">
        {others.map(([name, value]) => (
          <Fact key={name} name={name} value={value} />
        ))}
      </p>
    </details>
  );
}

function Fact({ name, value }: { name: string; value: unknown }) {
  return (
    <span>
      {name.replaceAll('_', ' ')} <b>{formatFact(value)}</b>
    </span>
  );
}

function Notes({ notes }: { notes: readonly string[] }) {
  if (notes.length === 0) return null;
  return (
    <ul class="notes" data-testid="notes">
      {notes.map((note) => (
        <li key={note}>
          <Marked text={note} />
        </li>
      ))}
    </ul>
  );
}
