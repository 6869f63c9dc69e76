/** A path that is too long for its place loses its beginning, as its end tells rows apart. */
export function SplitName({ name }: { name: string }) {
  const cut = name.lastIndexOf('/') + 1;
  return (
    <span class="split-name">
      <span class="split-head">
        <bdi>{name.slice(0, cut)}</bdi>
      </span>
      <span class="split-tail">{name.slice(cut)}</span>
    </span>
  );
}
