/** Takes what is on screen out of the page, in the form that is chosen. */
import { useRef } from 'preact/hooks';
import { Chevron } from './icons';

export interface Saved {
  label: string;
  /** Ending of the file's name. */
  kind: string;
  make(): Blob | Promise<Blob>;
}

export function SaveMenu({ name, choices }: { name: string; choices: readonly Saved[] }) {
  const menu = useRef<HTMLDetailsElement>(null);
  const save = async ({ kind, make }: Saved) => {
    if (menu.current) menu.current.open = false;
    download(`${name.replaceAll(/[^\w.-]+/g, '_')}.${kind}`, await make());
  };
  return (
    <details ref={menu} class="menu" data-testid="export">
      <summary class="button small">
        Export <Chevron />
      </summary>
      <ul class="menu-list">
        {choices.map((choice) => (
          <li key={choice.label}>
            <button type="button" class="menu-item" onClick={() => void save(choice)}>
              {choice.label}
            </button>
          </li>
        ))}
      </ul>
    </details>
  );
}

function download(name: string, blob: Blob): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser reads the blob after this turn.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
