import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The bytes of all of a tenant's stored files. */
@Entity('tenant_files')
export class TenantFilesEntity {
  @PrimaryColumn('text') tenant: string;
  @Column('bigint') bytes: string;
}
