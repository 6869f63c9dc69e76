/** The entry of the bundle: TensorBoard imports it inside the plugin's frame and calls `render`. */
import { h, render as mount } from 'preact';
import uplotStyles from 'uplot/dist/uPlot.min.css';
import { createActions } from './actions';
import { createApi } from './api';
import { createHost, type Host } from './host';
import { type AppState, type Cursor, initialState } from './state';
import { createStore, type Store } from './store';
import baseStyles from './styles/base.css';
import chartStyles from './styles/charts.css';
import findingStyles from './styles/findings.css';
import flowStyles from './styles/flow.css';
import layoutStyles from './styles/layout.css';
import mapStyles from './styles/map.css';
import ruleStyles from './styles/rules.css';
import stripStyles from './styles/strip.css';
import verdictStyles from './styles/verdict.css';
import { followTheme } from './theme';
import { isOurTab, readHash, URL_KEYS, writeHash } from './url_state';
import { App } from './views/app';
import { AppContext } from './views/context';

/** In this order: what is of one part goes over what is of all. */
const SHEETS = [
  uplotStyles,
  baseStyles,
  layoutStyles,
  verdictStyles,
  findingStyles,
  ruleStyles,
  stripStyles,
  mapStyles,
  chartStyles,
  flowStyles,
];

const TITLE = 'Gradient Health';
const POLL_MS = 5_000;
const HASH_MS = 50;

export function render(): void {
  const host = createHost();
  host.nameDocument(TITLE);
  addStyles(...SHEETS);
  const store = createStore<AppState>(initialState(readHash(host.hash())));
  const cursor = createStore<Cursor>({ column: null, row: null });
  const actions = createActions(store, createApi(window.fetch.bind(window)), () => new Date());
  followTheme((theme) => actions.set({ theme }));
  mirrorInHash(store, host);
  host.onHashChange(() => {
    if (isOurTab(host.hash())) void actions.follow(readHash(host.hash()));
  });
  const refreshIfShown = () => {
    if (host.visible()) void actions.refresh();
  };
  host.onWake(refreshIfShown);
  setInterval(() => {
    if (store.get().live) refreshIfShown();
  }, POLL_MS);
  void actions.refresh();
  const root = document.body.appendChild(document.createElement('div'));
  root.id = 'gradhealth';
  mount(h(AppContext.Provider, { value: { store, cursor, actions } }, h(App, {})), root);
}

function addStyles(...sheets: string[]): void {
  const style = document.createElement('style');
  style.textContent = sheets.join('\n');
  document.head.append(style);
}

/**
 * Writes what is chosen into TensorBoard's address, so that it can be sent to somebody. Browsers
 * take milliseconds for it: the page is drawn first, and a burst of changes is written once.
 */
function mirrorInHash(store: Store<AppState>, host: Host): void {
  const write = () => {
    const state = store.get();
    const inHash = readHash(host.hash());
    const changed = URL_KEYS.some((key) => state[key] !== inHash[key]);
    if (changed && host.visible()) host.replaceHash(writeHash(host.hash(), state));
  };
  let waiting = 0;
  store.subscribe(() => {
    clearTimeout(waiting);
    waiting = window.setTimeout(write, HASH_MS);
  });
}
