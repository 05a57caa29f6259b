/** The mark: two strokes over a bowl. It is not mirrored. */
export function Mark({ size = 32 }: { size?: number }) {
  return <img src="/mark.svg" width={size} height={size} alt="" />;
}
