/** The inside of a finding's card: why, what to do, and the numbers that tell of it. */

import { layerOf, layersOf } from '../choices';
import { formatStep, formatValue } from '../format';
import { nearFinding } from '../selectors';
import type { Cause, Evidence, Finding, Fix, RunDetail } from '../wire';
import { CHARTS_ID } from './charts';
import { useApp, useAppState } from './context';
import { CodeBlock } from './copy_button';
import { Marked } from './marked';

export function FindingBody({ detail, finding }: { detail: RunDetail; finding: Finding }) {
  return (
    <div class="finding-body">
      <Ways detail={detail} finding={finding} />
      {finding.causes.length > 0 && <Causes causes={finding.causes} />}
      {finding.fixes.length > 0 && <Fixes fixes={finding.fixes} />}
      {finding.evidence.length > 0 && <EvidenceTable evidence={finding.evidence} />}
      <Places finding={finding} />
      <Passage title="Check" text={finding.check} />
      <Passage title="Harmless when" text={finding.harmless} />
      <Sources finding={finding} />
    </div>
  );
}

/** From the card to the charts: to its steps, to its layer. */
function Ways({ detail, finding }: { detail: RunDetail; finding: Finding }) {
  const layer = useAppState((state) => state.layer);
  const { actions } = useApp();
  const [worst = ''] = finding.layers;
  const ofLayer = layersOf(detail).includes(layerOf(detail, worst) ?? '');
  const show = () => document.getElementById(CHARTS_ID)?.scrollIntoView();
  const flown = detail.flights.find(({ findings }) => findings.includes(finding.id));
  const open = async (flight: string | null) => {
    await actions.openLayer(layer ?? worst);
    if (flight !== null) await actions.chooseFlight(flight);
    show();
  };
  return (
    <div class="ways">
      {/* Where charts are beneath the findings; beside them this button is not displayed. */}
      <button type="button" class="button small show-on-map" onClick={show}>
        Show on the map
      </button>
      <button
        type="button"
        class="button small"
        onClick={() => void actions.zoom(nearFinding(detail, finding))}
      >
        Zoom to its steps
      </button>
      {finding.layers.length > 0 && (
        <button type="button" class="button small" onClick={() => void open(null)}>
          {ofLayer ? 'Open its layer' : 'Open its curves'}
        </button>
      )}
      {flown && (
        <button
          type="button"
          class="button small"
          onClick={() => void open(flown.findings[0] as string)}
        >
          Single steps before it
        </button>
      )}
    </div>
  );
}

function EvidenceTable({ evidence }: { evidence: readonly Evidence[] }) {
  return (
    <div class="scroll-x">
      <table class="evidence">
        <caption>Evidence</caption>
        <thead>
          <tr>
            <th scope="col">Measured</th>
            <th scope="col">Value</th>
            <th scope="col">Limit</th>
          </tr>
        </thead>
        <tbody>
          {evidence.map((item, index) => (
            <EvidenceRow key={index} item={item} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function EvidenceRow({ item }: { item: Evidence }) {
  const { label, value, limit, unit, signal, step, row } = item;
  return (
    <tr>
      <th scope="row">
        <Marked text={label} />
        <small>
          {row && <code>{row}</code>} at step {formatStep(step)}
        </small>
      </th>
      <td class={`number ${Number.isFinite(value) ? '' : 'non-finite'}`}>
        {formatValue(value, unit, signal)}
      </td>
      <td class="number muted">{limit === null ? '' : formatValue(limit, '', signal)}</td>
    </tr>
  );
}

const MAX_PLACES = 8;

/** All that it concerns, worst first; the title names one or two of them. */
function Places({ finding: { layers } }: { finding: Finding }) {
  const { actions } = useApp();
  if (layers.length < 2) return null;
  return (
    <>
      <h4>Where, worst first</h4>
      <p class="places">
        {layers.slice(0, MAX_PLACES).map((name) => (
          <button
            key={name}
            type="button"
            class="button small mono"
            title={name}
            onClick={() => void actions.openLayer(name)}
          >
            <bdi>{name}</bdi>
          </button>
        ))}
        {layers.length > MAX_PLACES && (
          <span class="muted">and {layers.length - MAX_PLACES} more</span>
        )}
      </p>
    </>
  );
}

function Causes({ causes }: { causes: readonly Cause[] }) {
  return (
    <>
      <h4>Causes</h4>
      <ul class="causes">
        {causes.map(({ text, confidence, support }) => (
          <li key={text} class={confidence.replace(' ', '-')}>
            <span class="confidence">{confidence}</span>
            <span>
              <Marked text={text} />
              {support && (
                <small>
                  <Marked text={support} />
                </small>
              )}
            </span>
          </li>
        ))}
      </ul>
    </>
  );
}

function Fixes({ fixes }: { fixes: readonly Fix[] }) {
  return (
    <>
      <h4>What to try, in this order</h4>
      <ol class="fixes">
        {fixes.map(({ text, code }) => (
          <li key={text}>
            <Marked text={text} />
            {code && <CodeBlock code={code} />}
          </li>
        ))}
      </ol>
    </>
  );
}

function Passage({ title, text }: { title: string; text: string }) {
  if (!text) return null;
  return (
    <>
      <h4>{title}</h4>
      <p>
        <Marked text={text} />
      </p>
    </>
  );
}

function Sources({ finding: { rule, code, url, references } }: { finding: Finding }) {
  const { actions } = useApp();
  return (
    <>
      <h4>Read more</h4>
      <ul class="sources">
        <li>
          <button
            type="button"
            class="link"
            data-testid="rule-link"
            onClick={() => void actions.showRule(rule)}
          >
            The rule {code} and its limits
          </button>
          {url && (
            <small>
              <code>{url}</code>
            </small>
          )}
        </li>
        {references.map((reference) => (
          <li key={reference}>
            <Linked text={reference} />
          </li>
        ))}
      </ul>
    </>
  );
}

/** Only web addresses become links; a log must not be able to run a script. */
function Linked({ text }: { text: string }) {
  const parts = text.split(/(https?:\/\/[^\s)>\]]+)/);
  return (
    <>
      {parts.map((part, index) =>
        index % 2 === 1 ? (
          <a href={part} target="_blank" rel="noreferrer noopener">
            {part}
          </a>
        ) : (
          part
        ),
      )}
    </>
  );
}
