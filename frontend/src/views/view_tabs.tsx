/** The views of a run's measurements. */
import { useRef } from 'preact/hooks';
import { comparedRuns, VIEWS, type View, viewOf } from '../choices';
import { formatCount } from '../format';
import type { RunDetail } from '../wire';
import { useApp, useAppState } from './context';

export const PANEL_ID = 'measurements';

const TITLES: Record<View, string> = {
  map: 'Map',
  layer: 'Layer',
  flow: 'Flow',
  compare: 'Compare',
  rules: 'Rules',
};

const MOVES: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1 };

export function tabId(view: View): string {
  return `tab-${view}`;
}

export function ViewTabs({ detail }: { detail: RunDetail }) {
  const current = useAppState(viewOf);
  const compared = useAppState((state) => comparedRuns(state).length);
  const { actions } = useApp();
  const list = useRef<HTMLDivElement>(null);
  const move = (event: KeyboardEvent) => {
    const by = MOVES[event.key];
    if (!by) return;
    const next = VIEWS[(VIEWS.indexOf(current) + by + VIEWS.length) % VIEWS.length] as View;
    void actions.chooseView(next);
    list.current?.querySelector<HTMLElement>(`#${tabId(next)}`)?.focus();
    event.preventDefault();
  };
  const notes: Partial<Record<View, string>> = {
    ...(compared > 0 && { compare: formatCount(compared, 'run') }),
    rules: String(detail.rules.length),
  };
  return (
    <div ref={list} class="view-tabs" role="tablist" aria-label="Views" onKeyDown={move}>
      {VIEWS.map((view) => (
        <button
          key={view}
          type="button"
          role="tab"
          id={tabId(view)}
          data-testid="view-tab"
          data-view={view}
          aria-selected={view === current}
          aria-controls={PANEL_ID}
          tabIndex={view === current ? 0 : -1}
          onClick={() => void actions.chooseView(view)}
        >
          {TITLES[view]}
          {notes[view] && <span class="muted"> {notes[view]}</span>}
        </button>
      ))}
    </div>
  );
}
