/** Marks that differ in shape as well as in colour. Always beside a word, so hidden from readers. */
import type { ComponentChildren } from 'preact';
import type { Verdict } from '../wire';

export type Mark = Verdict | 'recovered';

const SHAPES: Record<Mark, ComponentChildren> = {
  error: (
    <>
      <path class="fill" d="M5.2 1h5.6L15 5.2v5.6L10.8 15H5.2L1 10.8V5.2z" />
      <path class="ink" d="m5.3 5.3 5.4 5.4m0-5.4-5.4 5.4" />
    </>
  ),
  warning: (
    <>
      <path
        class="fill"
        d="M8 1.2c.5 0 .9.2 1.1.7l6 11c.4.8-.1 1.8-1.1 1.8H2c-1 0-1.5-1-1.1-1.8l6-11c.2-.5.6-.7 1.1-.7z"
      />
      <path class="ink" d="M8 5.6v4m0 2.5v.1" />
    </>
  ),
  info: (
    <>
      <circle class="fill" cx="8" cy="8" r="7" />
      <path class="ink" d="M8 7.4v4M8 4.8v.1" />
    </>
  ),
  healthy: (
    <>
      <circle class="fill" cx="8" cy="8" r="7" />
      <path class="ink" d="m4.9 8.3 2.2 2.2 4.1-4.8" />
    </>
  ),
  recovered: (
    <>
      <circle class="line" cx="8" cy="8" r="6.2" />
      <path class="line" d="m5 8.3 2.1 2.1 3.9-4.6" />
    </>
  ),
  'not measured': <circle class="line dashed" cx="8" cy="8" r="6.2" />,
  unreadable: (
    <>
      <circle class="line" cx="8" cy="8" r="6.2" />
      <path class="line" d="M3.8 12.2 12.2 3.8" />
    </>
  ),
};

export function Icon({ mark }: { mark: Mark }) {
  return (
    <svg class={`icon ${mark.replace(' ', '-')}`} viewBox="0 0 16 16" aria-hidden="true">
      {SHAPES[mark]}
    </svg>
  );
}

export function Chevron() {
  return (
    <svg class="chevron" viewBox="0 0 16 16" aria-hidden="true">
      <path d="m6 4 4 4-4 4" />
    </svg>
  );
}
