/** What a view may do with people: search, the contact list and its groups, files of contacts, directories. */
import type {
  DirectoryReport,
  ExportContacts,
  ExportedContacts,
  Findings,
  ImportDone,
  ImportPlan,
  PersonCard,
  SaveContact,
} from "../wire";
import type { Order } from "./link";
import { beginFindings, keepFindings } from "./state";
import type { Store } from "./store";

export type ContactFormat = ExportContacts["format"];
type Ask = (order: Order) => Promise<unknown>;

export class People {
  constructor(
    private readonly store: Store,
    private readonly ask: Ask,
  ) {}

  // --- searching

  /** Begin a search of this name, or another one in its place; what it finds comes into the store, step by step. */
  find = async (search: string, query: string, limit: number): Promise<void> => {
    this.store.touch(beginFindings(this.store.state, search, query));
    this.keep(await this.ask({ do: "FindPeople", search, query, limit }));
  };

  findMore = async (search: string, limit: number): Promise<void> => this.keep(await this.ask({ do: "FindMore", search, limit }));

  /** Nobody looks any more. */
  stop = async (search: string): Promise<void> => {
    this.store.touch(beginFindings(this.store.state, search, ""));
    await this.ask({ do: "StopFinding", search });
  };

  card = async (person: string) => (await this.ask({ do: "GetPerson", person })) as PersonCard;

  // --- the contact list

  add = (person: string, name: string, groups: string[]) => this.ask({ do: "AddContact", person, name, groups });
  rename = (person: string, name: string) => this.ask({ do: "ChangeContact", person, name });
  setGroups = (person: string, groups: string[]) => this.ask({ do: "ChangeContact", person, groups });
  remove = (person: string) => this.ask({ do: "RemoveContact", person });
  save = async (contact: Omit<SaveContact, "do" | "n">) => (await this.ask({ do: "SaveContact", ...contact })) as PersonCard;
  answerRequest = (person: string, allow: boolean) => this.ask({ do: "AnswerRequest", person, allow });
  setBlocked = (person: string, blocked: boolean) => this.ask({ do: "SetBlocked", person, blocked });

  addGroup = (name: string) => this.ask({ do: "AddGroup", name });
  renameGroup = (name: string, to: string) => this.ask({ do: "RenameGroup", name, to });
  removeGroup = (name: string) => this.ask({ do: "RemoveGroup", name });
  orderGroups = (groups: string[]) => this.ask({ do: "OrderGroups", groups });
  orderPeople = (group: string, people: string[]) => this.ask({ do: "OrderContacts", group, people });

  // --- files

  read = async (name: string, data: string) => (await this.ask({ do: "ReadContacts", name, data })) as ImportPlan;
  apply = async (plan: string, lines: number[] | null) => (await this.ask({ do: "ApplyImport", plan, lines })) as ImportDone;
  undo = (undo: string) => this.ask({ do: "UndoImport", undo });
  export = async (format: ContactFormat, groups: string[] | null) => (await this.ask({ do: "ExportContacts", format, groups })) as ExportedContacts;

  // --- directories

  check = async (source: string) => (await this.ask({ do: "CheckDirectory", source })) as DirectoryReport;
  setLogin = (user: string, password: string) => this.ask({ do: "SetDirectoryLogin", user, password });

  private keep(findings: unknown): void {
    this.store.touch(keepFindings(this.store.state, findings as Findings));
  }
}
