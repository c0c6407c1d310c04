/** The types of Thrift's binary protocol, as the byte before each field gives them. */

export const thriftStop = 0;
export const thriftBool = 2;
export const thriftByte = 3;
export const thriftDouble = 4;
export const thriftI16 = 6;
export const thriftI32 = 8;
export const thriftI64 = 10;
export const thriftString = 11;
export const thriftStruct = 12;
export const thriftMap = 13;
export const thriftSet = 14;
export const thriftList = 15;

/** How the types of annotations with values are numbered; Zipkin uses these two. */
export const binaryAnnotationBool = 0;
export const binaryAnnotationString = 6;
