/**
 * What is selected, as keys of TensorBoard's hash: `#gradhealth&p.gradhealth.run=cnn`.
 *
 * Keys of other plugins and the name of the tab are left as they are.
 */
export const URL_KEYS = [
  'run',
  'signal',
  'layer',
  'finding',
  'view',
  'steps',
  'compare',
  'curves',
] as const;

export type UrlKey = (typeof URL_KEYS)[number];
export type UrlState = Record<UrlKey, string | null>;

export const NOTHING_CHOSEN: UrlState = {
  run: null,
  signal: null,
  layer: null,
  finding: null,
  view: null,
  steps: null,
  compare: null,
  curves: null,
};

const PLUGIN = 'gradhealth';
const PREFIX = `p.${PLUGIN}.`;

export function readHash(hash: string): UrlState {
  const state: UrlState = { ...NOTHING_CHOSEN };
  for (const token of tokens(hash)) {
    const key = URL_KEYS.find((name) => token.startsWith(`${PREFIX}${name}=`));
    if (key) state[key] = decode(token.slice(PREFIX.length + key.length + 1)) || null;
  }
  return state;
}

/** Returns `hash` with our keys replaced by `state`. */
export function writeHash(hash: string, state: UrlState): string {
  const others = tokens(hash).filter((token) => !token.startsWith(PREFIX));
  if (others.length === 0) others.push(PLUGIN);
  const ours = URL_KEYS.flatMap((key) => {
    const value = state[key];
    return value === null ? [] : [`${PREFIX}${key}=${encodeURIComponent(value)}`];
  });
  return `#${[...others, ...ours].join('&')}`;
}

/** Whether the hash shows our tab; without a tab name TensorBoard shows the first one. */
export function isOurTab(hash: string): boolean {
  return tokens(hash)[0] === PLUGIN;
}

function tokens(hash: string): string[] {
  return hash.replace(/^#/, '').split('&').filter(Boolean);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
