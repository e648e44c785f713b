/** A picture that cannot be used; its message is the reason shown beside the file's name. */
export class Unreadable extends Error {
  override name = 'Unreadable';
}
