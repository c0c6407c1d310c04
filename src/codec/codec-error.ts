/**
 * What a decoder says to bytes it cannot read: the reason and the position, in words that can be handed to the sender.
 * A decoder throws nothing else, whatever it is given.
 */
export class CodecError extends Error {
  override readonly name = 'CodecError';
}
