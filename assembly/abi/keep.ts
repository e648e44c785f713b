/** What an operator keeps for its backward. */
export const enum Keep {
  Nothing = 0,
  Value = 1,
  Bit1 = 2,
  Code4 = 3,
  Group4 = 4,
  Group8 = 5,
  Signed4 = 6,
  Code8 = 7,
}
