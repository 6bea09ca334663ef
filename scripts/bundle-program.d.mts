export function contextText(): Promise<string>;
export function programText(file: string): Promise<string>;
export function programTextOf(contents: string): Promise<string>;
export function startedProgramText(file: string): Promise<string>;
