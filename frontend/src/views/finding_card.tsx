/** One finding, and folded beneath it what follows from it. */
import { useEffect, useState } from 'preact/hooks';
import { formatCount, formatStep, formatSteps } from '../format';
import type { Finding, RunDetail, Severity } from '../wire';
import { useApp, useAppState } from './context';
import { EvidenceSpark } from './evidence_spark';
import { FindingBody } from './finding_body';
import { Chevron, Icon } from './icons';
import { Marked } from './marked';

const SEVERITY_WORDS: Record<Severity, string> = {
  error: 'Error',
  warning: 'Warning',
  info: 'Remark',
};

interface Props {
  detail: RunDetail;
  finding: Finding;
  consequences?: readonly Finding[];
}

export function FindingCard({ detail, finding, consequences = [] }: Props) {
  const chosen = useAppState((state) => state.finding);
  const open = chosen === finding.id;
  return (
    <article
      class={`card finding ${finding.severity} ${open ? 'open' : ''}`}
      data-testid="finding"
      data-rule={finding.rule}
      data-severity={finding.severity}
    >
      <FindingHead finding={finding} open={open} />
      <EvidenceSpark detail={detail} finding={finding} />
      {open && <FindingBody detail={detail} finding={finding} />}
      {consequences.length > 0 && (
        <Consequences
          detail={detail}
          findings={consequences}
          chosen={consequences.some(({ id }) => id === chosen)}
        />
      )}
    </article>
  );
}

function FindingHead({ finding, open }: { finding: Finding; open: boolean }) {
  const { actions } = useApp();
  return (
    <h3 class="finding-head">
      <button
        type="button"
        aria-expanded={open}
        onClick={() => void actions.chooseFinding(finding.id)}
      >
        <span class="finding-line">
          <Icon mark={finding.severity} />
          <span class="severity">{SEVERITY_WORDS[finding.severity]}</span>
          <span class="mono muted">{finding.code}</span>
          <Chevron />
        </span>
        <span class="finding-title">
          <Marked text={finding.title} />
        </span>
        <span class="meta">
          <span>{when(finding)}</span>
          <span>{finding.origin === 'live' ? 'found live' : 'found in the log'}</span>
        </span>
      </button>
    </h3>
  );
}

function when({ first_step, last_step, open }: Finding): string {
  if (open) return `since step ${formatStep(first_step)}, still open`;
  return `${formatSteps(first_step, last_step)}, over`;
}

interface ConsequencesProps {
  detail: RunDetail;
  findings: readonly Finding[];
  /** One of them is. */
  chosen: boolean;
}

function Consequences({ detail, findings, chosen }: ConsequencesProps) {
  const [open, setOpen] = useState(chosen);
  // Choosing one of them, as a link does, must not leave it folded away.
  useEffect(() => {
    if (chosen) setOpen(true);
  }, [chosen]);
  return (
    <details
      class="consequences"
      open={open}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>
        <Chevron />
        Explains {formatCount(findings.length, 'other finding')}
      </summary>
      {findings.map((finding) => (
        <FindingCard key={finding.id} detail={detail} finding={finding} />
      ))}
    </details>
  );
}
