/** Characters that a terminal would obey, that nobody sees, or that turn a line around: both programs show them as escapes. */

/** Of a code point. The joiners U+200C and U+200D are not among them: scripts and emoji need them. */
export function isUnseen(code: number): boolean {
  if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return true; // C0, DEL, C1
  if (code < 0x600) return code == 0xad; // soft hyphen
  if (code < 0x2000) return code == 0x61c || code == 0x180e; // Arabic letter mark, Mongolian vowel separator
  if (code < 0x2070)
    return (
      code == 0x200b || // zero width space
      code == 0x200e || // left-to-right mark
      code == 0x200f || // right-to-left mark
      (code >= 0x2028 && code <= 0x202e) || // line and paragraph separators, embeddings, overrides
      code >= 0x2060 // word joiner, invisible operators, isolates, shaping
    );
  if (code < 0xd800) return false;
  if (code <= 0xdfff) return true; // half of a pair
  return code == 0xfeff || (code >= 0xfff9 && code <= 0xfffb) || (code >= 0xe0000 && code <= 0xe007f); // byte order mark, annotations, tags
}
