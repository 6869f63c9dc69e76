/** The limits of one rule, to be changed for a trial. */
import { formatCount } from '../format';
import type { Limits, RuleSheet } from '../wire';
import { useApp } from './context';
import { Chevron } from './icons';

interface FormProps {
  sheet: RuleSheet;
  limits: Limits;
  /** Where the rule has flagged something its limits are of interest at once. */
  open: boolean;
}

export function LimitForm({ sheet, limits, open }: FormProps) {
  const names = Object.keys(sheet.limits);
  if (names.length === 0) return null;
  return (
    <details class="limits" open={open || sheet.rule in limits}>
      <summary class="muted">
        <Chevron />
        {formatCount(names.length, 'limit')}
      </summary>
      <div class="limit-form">
        {names.map((name) => (
          <LimitInput key={name} {...{ sheet, limits, name }} />
        ))}
      </div>
    </details>
  );
}

interface Props {
  sheet: RuleSheet;
  limits: Limits;
  name: string;
}

function LimitInput({ sheet, limits, name }: Props) {
  const { actions } = useApp();
  const usual = sheet.limits[name] as number;
  const tried = limits[sheet.rule]?.[name];
  const change = (text: string) => {
    const value = text.trim() === '' ? usual : Number(text);
    if (Number.isFinite(value)) void actions.tryLimits(withLimit(limits, sheet, name, value));
  };
  return (
    <label class={tried === undefined ? '' : 'changed'}>
      <span class="muted">{name.replaceAll('_', ' ')}</span>
      <input
        type="number"
        step="any"
        data-testid="limit"
        data-name={name}
        aria-label={`${sheet.rule}: ${name}`}
        title={`Usually ${usual}`}
        value={tried ?? usual}
        onChange={(event) => change(event.currentTarget.value)}
      />
    </label>
  );
}

/** Limits that are what they usually are need not be tried. */
export function withLimit(limits: Limits, sheet: RuleSheet, name: string, value: number): Limits {
  const { [sheet.rule]: own = {}, ...others } = limits;
  const { [name]: _, ...rest } = own;
  const changed = value === sheet.limits[name] ? rest : { ...rest, [name]: value };
  return Object.keys(changed).length > 0 ? { ...others, [sheet.rule]: changed } : others;
}
