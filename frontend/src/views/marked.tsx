/** Text of the server with `names` set as code, and nothing else of it interpreted. */
import { splitCode } from '../format';

export function Marked({ text }: { text: string }) {
  return <>{splitCode(text).map((part) => (part.code ? <code>{part.text}</code> : part.text))}</>;
}
