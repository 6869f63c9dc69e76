/** What the page around us, TensorBoard, can tell and be told. */

export interface Host {
  hash(): string;
  /** Rewrites the hash in place, without an entry in the browser's history. */
  replaceHash(hash: string): void;
  /** False in a hidden browser tab, and in the frame of a TensorBoard tab that is not shown. */
  visible(): boolean;
  /** The user or a timer of TensorBoard reloaded the data, or our tab may have come into view. */
  onWake(listener: () => void): void;
  onHashChange(listener: () => void): void;
  /** Names the document and its frame for assistive technology. */
  nameDocument(title: string): void;
}

export function createHost(): Host {
  const page = readableParent() ?? window;
  const port = window.parent === window ? null : connect();
  return {
    hash: () => page.location.hash,
    replaceHash: (hash) => page.history.replaceState(page.history.state, '', hash),
    // A hidden frame keeps `visibilityState` "visible"; only its height tells.
    visible: () => document.visibilityState === 'visible' && window.innerHeight > 0,
    onWake(listener) {
      if (port) answerMessages(port, listener);
      document.addEventListener('visibilitychange', listener);
      // TensorBoard changes the hash on every switch of tabs; the frame gets its height after.
      page.addEventListener('hashchange', () => setTimeout(listener));
    },
    onHashChange: (listener) => page.addEventListener('hashchange', listener),
    nameDocument(title) {
      document.documentElement.lang = 'en';
      document.title = title;
      if (window.frameElement) window.frameElement.setAttribute('title', title);
    },
  };
}

function readableParent(): Window | null {
  try {
    return window.parent.document ? window.parent : null;
  } catch {
    return null;
  }
}

function connect(): MessagePort {
  const channel = new MessageChannel();
  window.parent.postMessage('experimental.bootstrap', '*', [channel.port2]);
  return channel.port1;
}

/** TensorBoard waits for an answer to each of its messages. */
function answerMessages(port: MessagePort, onReload: () => void): void {
  port.onmessage = (event) => {
    const message = JSON.parse(event.data);
    if (message.isReply) return;
    const { type, id } = message;
    port.postMessage(JSON.stringify({ type, id, payload: null, error: null, isReply: true }));
    if (type === 'experimental.DataReloaded') onReload();
  };
}
