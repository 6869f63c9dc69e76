/** How every rule stands for the run: silence is shown to be earned, not assumed. */
import { formatCount, sentenceCase } from '../format';
import { ruleGroups } from '../selectors';
import type { RuleState } from '../wire';
import { Chevron, Icon, type Mark } from './icons';
import { Marked } from './marked';

export function Rules({ rules }: { rules: readonly RuleState[] }) {
  const { flagged, clean, skipped } = ruleGroups(rules);
  if (rules.length === 0) return null;
  return (
    <details class="card rules" data-testid="rules">
      <summary>
        <Chevron />
        <span class="section-title">Rules</span>
        <span class="muted">
          {flagged.length} flagged, {clean.length} clean, {skipped.length} not evaluated
        </span>
      </summary>
      <RuleList title="Flagged" mark="warning" rules={flagged} />
      <RuleList title="Clean" mark="healthy" rules={clean} />
      <RuleList title="Not evaluated" mark="not measured" rules={skipped} />
    </details>
  );
}

function RuleList(props: { title: string; mark: Mark; rules: readonly RuleState[] }) {
  const { title, mark, rules } = props;
  if (rules.length === 0) return null;
  return (
    <>
      <h3>{formatCount(rules.length, 'rule').replace(/rules?$/, title.toLowerCase())}</h3>
      <ul class="rule-list">
        {rules.map(({ rule, code, state, reason }) => (
          <li key={rule}>
            <Icon mark={state === 'cleared' ? 'recovered' : mark} />
            <span>
              {sentenceCase(rule)} <span class="muted mono">{code}</span>
              {reason && (
                <small>
                  <Marked text={reason} />
                </small>
              )}
            </span>
          </li>
        ))}
      </ul>
    </>
  );
}
