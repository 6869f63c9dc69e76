/**
 * Light or dark, as TensorBoard is: it sends no message, but toggles a class of its `<body>`.
 * Where that page cannot be read, the system's preference decides.
 */
export type Theme = 'light' | 'dark';

/** Keeps `<html data-theme>` and the listener up to date for as long as the page lives. */
export function followTheme(onChange: (theme: Theme) => void): void {
  const host = hostBody();
  const system = window.matchMedia('(prefers-color-scheme: dark)');
  const apply = () => {
    const dark = host ? host.classList.contains('dark-mode') : system.matches;
    const theme = dark ? 'dark' : 'light';
    document.documentElement.dataset.theme = theme;
    onChange(theme);
  };
  apply();
  if (host) {
    new MutationObserver(apply).observe(host, { attributes: true, attributeFilter: ['class'] });
  } else {
    system.addEventListener('change', apply);
  }
}

function hostBody(): HTMLElement | null {
  if (window.parent === window) return null;
  try {
    return window.parent.document.body;
  } catch {
    return null;
  }
}
