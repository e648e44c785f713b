/** Names on the Hugging Face hub, typed where a folder is wanted: s2a opens no connection, so it says the line that fetches one. docs/checkpoints.md is the whole list. */
import { dirname } from 'node:path';
import { InputError } from '../base/error.ts';
import { isFolder } from '../base/files.ts';

/** Folders that people keep models in: `models/vit-tiny` is more likely one of them than an owner on the hub. */
const LOCAL = /^(models?|checkpoints?|weights|pretrained|data|demo|test|build|dist|tmp|out|runs?)$/i;

/** Whether a text has the form of a hub's name: `owner/name`. */
export const isHubName = (text: string): boolean =>
  /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/.test(text) && !LOCAL.test(dirname(text)) && !isFolder(dirname(text));

/** The line that fetches a model: timm's folders say in config.json how pictures are prepared, those of transformers in a file of its own. */
export function fetchLine(name: string): string {
  const files = ['config.json', ...(name.startsWith('timm/') ? [] : ['preprocessor_config.json']), 'model.safetensors'];
  const folder = `models/${name.split('/')[1]}`;
  return `curl --fail -L --create-dirs -o '${folder}/#1' 'https://huggingface.co/${name}/resolve/main/{${files.join(',')}}'`;
}

/** Throws where a model folder that is not there may be a name on the hub. */
export function refuseHubName(text: string): void {
  if (!isHubName(text)) return;
  throw new InputError({
    where: text,
    what: 'no such model folder: it has the form of a name on the Hugging Face hub, and s2a opens no connection',
    expected: 'a folder with config.json and model.safetensors',
    hint: `where there is a network, fetch it and give models/${text.split('/')[1]}: ${fetchLine(text)}`,
  });
}
