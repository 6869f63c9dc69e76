// @vitest-environment happy-dom
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createHost } from '../src/host';
import { followTheme } from '../src/theme';

/** Stands in for the page of TensorBoard around the frame. */
function pretendParent() {
  const page = {
    document: document.implementation.createHTMLDocument(),
    location: { hash: '#gradhealth&p.gradhealth.run=cnn' },
    history: { state: { of: 'TensorBoard' }, replaceState: vi.fn() },
    addEventListener: vi.fn(),
    postMessage: vi.fn(),
  };
  vi.spyOn(window, 'parent', 'get').mockReturnValue(page as unknown as Window & typeof globalThis);
  return page;
}

afterEach(() => vi.restoreAllMocks());

const settle = () => new Promise((resolve) => setTimeout(resolve, 10));

describe('createHost', () => {
  it('reads and rewrites the address of TensorBoard, not of the frame', () => {
    const page = pretendParent();
    const host = createHost();
    expect(host.hash()).toBe('#gradhealth&p.gradhealth.run=cnn');
    host.replaceHash('#new');
    expect(page.history.replaceState).toHaveBeenCalledWith({ of: 'TensorBoard' }, '', '#new');
  });

  it('works on its own where there is no page around it', () => {
    expect(createHost().hash()).toBe(window.location.hash);
  });

  it('counts a frame without height as hidden', () => {
    pretendParent();
    const height = vi.spyOn(window, 'innerHeight', 'get').mockReturnValue(0);
    expect(createHost().visible()).toBe(false);
    height.mockReturnValue(600);
    expect(createHost().visible()).toBe(true);
  });

  it('offers TensorBoard a port, answers each message, and passes on reloads', async () => {
    const page = pretendParent();
    const onWake = vi.fn();
    createHost().onWake(onWake);
    const [word, , [port]] = page.postMessage.mock.calls[0] as [string, string, [MessagePort]];
    expect(word).toBe('experimental.bootstrap');
    const answers: unknown[] = [];
    port.onmessage = ({ data }) => answers.push(JSON.parse(data));
    const send = (type: string, id: number) =>
      port.postMessage(JSON.stringify({ type, id, payload: null, error: null, isReply: false }));
    send('experimental.RunsChanged', 1);
    send('experimental.DataReloaded', 2);
    await settle();
    expect(onWake).toHaveBeenCalledTimes(1);
    expect(answers).toMatchObject([
      { id: 1, isReply: true },
      { id: 2, isReply: true },
    ]);
    port.close();
  });

  it('names the document', () => {
    createHost().nameDocument('Gradient Health');
    expect([document.documentElement.lang, document.title]).toEqual(['en', 'Gradient Health']);
  });
});

describe('followTheme', () => {
  it('follows the class that TensorBoard gives its body', async () => {
    const { body } = pretendParent().document;
    const seen: string[] = [];
    followTheme((theme) => seen.push(theme));
    body.classList.add('dark-mode');
    await settle();
    expect(seen).toEqual(['light', 'dark']);
    expect(document.documentElement.dataset.theme).toBe('dark');
  });

  it('asks the system where there is no page around', () => {
    const query = { matches: true, addEventListener: vi.fn() };
    vi.spyOn(window, 'matchMedia').mockReturnValue(query as unknown as MediaQueryList);
    const seen: string[] = [];
    followTheme((theme) => seen.push(theme));
    expect(seen).toEqual(['dark']);
  });
});
