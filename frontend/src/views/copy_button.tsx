import { useState } from 'preact/hooks';

const SHOWN_MS = 1_600;

type Outcome = 'Copy' | 'Copied' | 'Select and copy by hand';

export function CopyButton({ text }: { text: string }) {
  const [label, setLabel] = useState<Outcome>('Copy');
  const copy = async () => {
    try {
      // Absent where the page was not served from a secure origin.
      await navigator.clipboard.writeText(text);
      setLabel('Copied');
    } catch {
      setLabel('Select and copy by hand');
    }
    setTimeout(() => setLabel('Copy'), SHOWN_MS);
  };
  return (
    <button type="button" class="copy" onClick={copy}>
      <span aria-live="polite">{label}</span>
    </button>
  );
}

export function CodeBlock({ code }: { code: string }) {
  return (
    <div class="code-block">
      <pre>
        <code>{code}</code>
      </pre>
      <CopyButton text={code} />
    </div>
  );
}
