/** What was found, told as stories: each root cause with what follows from it folded beneath. */
import { formatCount } from '../format';
import { ruleGroups, stories } from '../selectors';
import type { RunDetail } from '../wire';
import { FindingCard } from './finding_card';
import { Icon } from './icons';

export function Findings({ detail }: { detail: RunDetail }) {
  const told = stories(detail.findings);
  return (
    <section class="findings" aria-labelledby="findings-title">
      <h2 id="findings-title" class={told.length > 0 ? 'section-title' : 'sr-only'}>
        Findings <span class="muted">{told.length > 0 && rootsAndRest(detail, told.length)}</span>
      </h2>
      {told.length === 0 && <NothingFound detail={detail} />}
      {told.map(({ root, consequences }) => (
        <FindingCard key={root.id} detail={detail} finding={root} consequences={consequences} />
      ))}
    </section>
  );
}

function rootsAndRest({ findings }: RunDetail, roots: number): string {
  const rest = findings.length - roots;
  const causes = formatCount(roots, 'root cause');
  return rest > 0 ? `${causes}, ${formatCount(rest, 'consequence')}` : causes;
}

function NothingFound({ detail }: { detail: RunDetail }) {
  const { clean } = ruleGroups(detail.rules);
  const judged = clean.length > 0;
  return (
    <div class="card nothing-found">
      <Icon mark={judged ? 'healthy' : 'not measured'} />
      <p>
        <strong>{judged ? 'Nothing to report. ' : 'Nothing to judge by yet. '}</strong>
        {judged
          ? `${formatCount(clean.length, 'rule')} watched every logged step and found no sign of trouble.`
          : 'No rule had the measurements that it needs. The list of rules says what is missing.'}
      </p>
    </div>
  );
}
