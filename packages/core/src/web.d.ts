// The few web-standard globals core may use: present in browsers, Workers and Node alike.
declare class TextEncoder {
  encode(text: string): Uint8Array<ArrayBuffer>
}
declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean })
  decode(bytes: ArrayBuffer | ArrayBufferView): string
}
declare const crypto: {
  readonly subtle: {
    digest(algorithm: 'SHA-256', bytes: ArrayBuffer | ArrayBufferView): Promise<ArrayBuffer>
  }
}
declare function atob(base64: string): string
declare function btoa(bytes: string): string
