export function patternBytes(seed: number, offset: number, count: number): Uint8Array;
export function firstWrong(seed: number, offset: number, bytes: Uint8Array): number;
