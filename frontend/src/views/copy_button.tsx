import { useState } from 'preact/hooks';

const SHOWN_MS = 1_600;

type Outcome = 'Copied' | 'Select and copy by hand';

export function CopyButton({ text, label = 'Copy' }: { text: string; label?: string }) {
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const copy = async () => {
    try {
      // Absent where the page was not served from a secure origin.
      await navigator.clipboard.writeText(text);
      setOutcome('Copied');
    } catch {
      setOutcome('Select and copy by hand');
    }
    setTimeout(() => setOutcome(null), SHOWN_MS);
  };
  return (
    <button type="button" class="copy" onClick={copy}>
      <span aria-live="polite">{outcome ?? label}</span>
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
