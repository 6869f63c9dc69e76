/** Buttons that are on or off. */
import { useApp, useAppState } from './context';

export function Toggle(props: { label: string; on: boolean; title?: string; onChange(): void }) {
  const { label, on, title, onChange } = props;
  return (
    <button
      type="button"
      class="button small toggle"
      aria-pressed={on}
      title={title}
      onClick={onChange}
    >
      {label}
    </button>
  );
}

/** Every chart has a table behind it. */
export function TableToggle() {
  const table = useAppState((state) => state.table);
  const { actions } = useApp();
  return (
    <Toggle
      label="Table"
      on={table}
      title="Show the numbers instead of the charts"
      onChange={() => actions.set({ table: !table })}
    />
  );
}
