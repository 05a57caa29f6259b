/** Files in and out of the browser, as the host takes and gives them. */

/** The content of a file in base64. Raises what the browser says of a file that can't be read. */
export function readBase64(file: File): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve((reader.result as string).split(",")[1] ?? "");
    reader.onerror = () => reject(reader.error ?? new Error(file.name));
    reader.readAsDataURL(file);
  });
}

/** Offer bytes in base64 as a file. */
export function saveBase64(name: string, kind: string, data: string): void {
  const bytes = Uint8Array.from(atob(data), (sign) => sign.charCodeAt(0));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes], { type: kind }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
