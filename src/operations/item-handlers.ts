import { AnalyzeDocumentItemHandler } from './analyze-document.item-handler.js';
import { AnnotateImageItemHandler } from './annotate-image.item-handler.js';
import { AnnotateItemHandler } from './annotate.item-handler.js';
import { ImportItemHandler } from './import.item-handler.js';
import { NoopItemHandler } from './noop.item-handler.js';
import { ReadFileItemHandler } from './read-file.item-handler.js';

/** The operations that this service can do by itself. To add one, write its handler and name it here. */
export const ITEM_HANDLERS = [
  ImportItemHandler,
  AnnotateItemHandler,
  AnnotateImageItemHandler,
  AnalyzeDocumentItemHandler,
  ReadFileItemHandler,
  NoopItemHandler,
];
